/* Readings of a thermometer: how many, then the readings; prints the coldest, the warmest and the mean. */
#include <stdio.h>

int main(void) {
    int count;
    if (scanf("%d", &count) != 1 || count <= 0) {
        printf("no readings\n");
        return 0;
    }
    int coldest = 0, warmest = 0, read = 0;
    double sum = 0;
    for (int i = 0; i < count; i++) {
        int reading;
        if (scanf("%d", &reading) != 1) {
            break;
        }
        if (read == 0 || reading < coldest) {
            coldest = reading;
        }
        if (read == 0 || reading > warmest) {
            warmest = reading;
        }
        sum += reading;
        read++;
    }
    if (read < count) {
        fprintf(stderr, "missing: %d\n", count - read);
    }
    if (read > 0) {
        printf("%d %d %.2f\n", coldest, warmest, sum / read);
    }
    return 0;
}
