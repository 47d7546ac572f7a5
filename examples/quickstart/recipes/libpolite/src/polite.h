/* Greets people politely. */
#ifndef POLITE_H
#define POLITE_H

#include <stddef.h>

/* Writes a polite greeting for `name` into `buffer`, which has room for `size` characters. */
void polite_greet(char *buffer, size_t size, const char *name);

#endif
