//go:build cgo

package main

/*
#include <unistd.h>
#include <pthread.h>
extern void intoGo(int);
static void sleepInC(void) { for (;;) pause(); }
static void backIntoGo(int n) { intoGo(n); }
static int brief(int n) { volatile int i, s = 0; for (i = 0; i < n; i++) s += i; return s; }
static void *threadOfC(void *arg) { (void)arg; intoGo(1); return 0; }
static void startThread(void) { pthread_t t; pthread_create(&t, 0, threadOfC, 0); }
*/
import "C"

// inC leaves goroutines in C: one that sleeps there, one that came back into Go and waits, and one that a thread of C brought.
func inC() {
	go C.sleepInC()
	go func() { C.backIntoGo(0) }()
	C.startThread()
}

//export intoGo
func intoGo(n C.int) {
	switch n {
	case 2:
		sinkI = middle(1)
	default:
		<-never
	}
}

func busyInC() {
	go func() {
		for {
			C.brief(100)
		}
	}()
	go func() {
		for {
			C.backIntoGo(2)
		}
	}()
}
