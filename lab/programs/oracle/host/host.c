// A C program that loads the oracle, built with -buildmode=c-shared, and runs it: host LIBRARY FILE.
// It stands in a folder of its own so that Go does not take it for a part of the package.
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s LIBRARY FILE\n", argv[0]);
    return 2;
  }
  void *library = dlopen(argv[1], RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  void (*run)(char *) = (void (*)(char *))dlsym(library, "OracleRun");
  if (run == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  run(argv[2]);
  return 0;
}
