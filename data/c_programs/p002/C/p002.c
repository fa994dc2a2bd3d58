/* A poem on standard input: prints the words of every line, and how many lines and stanzas there are. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int words_of(const char *line) {
    int words = 0, inside = 0;
    for (; *line; line++) {
        int letter = !isspace((unsigned char)*line);
        words += letter && !inside;
        inside = letter;
    }
    return words;
}

int main(void) {
    char line[200];
    int lines = 0, stanzas = 0, inside = 0;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        int words = words_of(line);
        if (words == 0) {
            inside = 0;
            continue;
        }
        if (!inside) {
            stanzas++;
        }
        inside = 1;
        lines++;
        printf("%2d  %s\n", words, line);
    }
    printf("lines %d, stanzas %d\n", lines, stanzas);
    return 0;
}
