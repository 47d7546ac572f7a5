#include "polite.h"

#include <greet.h>
#include <stdio.h>

void polite_greet(char *buffer, size_t size, const char *name) {
    int length = greet(buffer, size, name);
    if (length >= 0 && (size_t)length < size) {
        snprintf(buffer + length, size - (size_t)length, " How are you?");
    }
}
