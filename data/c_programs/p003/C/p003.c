/* A stack machine with four cells: push N, add, mul, swap, print. Nothing is checked. */
#include <stdio.h>
#include <string.h>

static int cells[4];
static int depth;

static int pop(void) {
    return cells[--depth];
}

static void push(int value) {
    cells[depth++] = value;
}

int main(void) {
    char word[16];
    while (scanf("%15s", word) == 1) {
        if (strcmp(word, "push") == 0) {
            int value;
            if (scanf("%d", &value) != 1) {
                printf("push what?\n");
                return 1;
            }
            push(value);
        } else if (strcmp(word, "add") == 0) {
            int right = pop(), left = pop();
            push(left + right);
        } else if (strcmp(word, "mul") == 0) {
            int right = pop(), left = pop();
            push(left * right);
        } else if (strcmp(word, "swap") == 0) {
            int right = pop(), left = pop();
            push(right);
            push(left);
        } else if (strcmp(word, "print") == 0) {
            printf("%d\n", cells[depth - 1]);
        } else {
            printf("unknown: %s\n", word);
        }
    }
    return 0;
}
