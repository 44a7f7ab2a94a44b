// Command runtime-only is a program with nothing but the runtime in it: enough for the layouts that lastgasp reads, and built in seconds where a whole
// standard library takes a minute (one build for each experiment and each patch release).
package main

func main() {}
