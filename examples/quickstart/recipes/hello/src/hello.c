/* hello NAME... | --everyone | --version */
#include <greet.h>
#include <stdio.h>
#include <string.h>

static void say(const char *name) {
    char line[256];
    greet(line, sizeof line, name);
    puts(line);
}

static int say_to_everyone(void) {
    const char *path = PREFIX "/share/greet/names.txt";
    FILE *names = fopen(path, "r");
    if (names == NULL) {
        fprintf(stderr, "hello: cannot read %s\n", path);
        return 1;
    }
    char name[128];
    while (fgets(name, sizeof name, names) != NULL) {
        name[strcspn(name, "\n")] = '\0';
        say(name);
    }
    fclose(names);
    return 0;
}

int main(int count, char **words) {
    if (count < 2) {
        fputs("usage: hello NAME... | --everyone | --version\n", stderr);
        return 2;
    }
    if (strcmp(words[1], "--version") == 0) {
        printf("libgreet %s\n", greet_version());
        return 0;
    }
    if (strcmp(words[1], "--everyone") == 0) {
        return say_to_everyone();
    }
    for (int i = 1; i < count; i++) {
        say(words[i]);
    }
    return 0;
}
