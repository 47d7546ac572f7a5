# Compiles the Python files of a list, each name ended by a NUL and relative to a folder, beside themselves. What is no code of
# this Python is left out: it may be a template, or for another Python. What the operating system refuses is told: the error's
# number, a space and the path, and the status is 74. `compileall` ends in one way for both.
import importlib.util
import marshal
import os
import sys


def compiled(source, name):
    # A header that asks nobody to look at the source again (PEP 552: flags 1, then the source's hash).
    head = importlib.util.MAGIC_NUMBER + b'\1\0\0\0' + importlib.util.source_hash(source)
    return head + marshal.dumps(compile(source, name, 'exec', dont_inherit=True))


def write(path, data, mode):
    beside = '%s.%d' % (path, os.getpid())
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        # Python's own writer takes a write that was cut short for a whole one before 3.14.
        with open(descriptor, 'wb') as file:
            file.write(data)
        os.replace(beside, path)
    except OSError:
        os.unlink(beside)
        raise


def main(root, names):
    with open(names, 'rb') as file:
        names = [os.fsdecode(name) for name in file.read().split(b'\0') if name]
    for name in names:
        source = os.path.join(root, name)
        target = importlib.util.cache_from_source(source)
        if not os.path.isfile(source) or os.path.islink(target):
            continue
        path = source
        try:
            with open(source, 'rb') as file:
                text = file.read()
                mode = os.fstat(file.fileno()).st_mode & 0o666 | 0o200
            try:
                data = compiled(text, name)
            except Exception:
                continue
            path = target
            os.makedirs(os.path.dirname(target), exist_ok=True)
            write(target, data, mode)
        except OSError as error:
            sys.stdout.buffer.write(b'%d %s' % (error.errno or 5, os.fsencode(path)))
            sys.exit(74)


main(*sys.argv[1:])
