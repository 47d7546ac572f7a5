/* shout NAME... | --version */
#include <ctype.h>
#include <greet.h>
#include <polite.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **words) {
    if (count < 2) {
        fputs("usage: shout NAME... | --version\n", stderr);
        return 2;
    }
    if (strcmp(words[1], "--version") == 0) {
        printf("libgreet %s\n", greet_version());
        return 0;
    }
    for (int i = 1; i < count; i++) {
        char line[256];
        polite_greet(line, sizeof line, words[i]);
        for (char *c = line; *c != '\0'; c++) {
            *c = (char)toupper((unsigned char)*c);
        }
        puts(line);
    }
    return 0;
}
