/* Dice: a seed (0 takes the clock) and how many throws; prints the throws and their sum. */
#include <stdio.h>
#include <time.h>

static unsigned state;

static int throw_die(void) {
    state = state * 1103515245u + 12345u;
    return (int)((state >> 16) % 6u) + 1;
}

int main(void) {
    unsigned seed;
    int throws;
    if (scanf("%u %d", &seed, &throws) != 2 || throws < 0) {
        fprintf(stderr, "a seed and a number of throws, please\n");
        return 2;
    }
    state = seed ? seed : (unsigned)time(NULL);
    int sum = 0;
    for (int i = 0; i < throws; i++) {
        int eyes = throw_die();
        printf("%d ", eyes);
        sum += eyes;
    }
    printf("= %d\n", sum);
    return 0;
}
