/* Greets people. */
#ifndef GREET_H
#define GREET_H

#include <stddef.h>

/* Writes a greeting for `name` into `buffer`, which has room for `size` characters. Returns what snprintf returns. */
int greet(char *buffer, size_t size, const char *name);

/* The version of the library that is loaded. */
const char *greet_version(void);

#endif
