// Command healthy-cgo has goroutines that C will wake: threads of its own that call back, calls that sleep in C, and
// handles that C holds.
package main

/*
#cgo LDFLAGS: -lpthread
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

extern void wake(uintptr_t handle);

static void *later(void *p) {
	uintptr_t *handle = p;
	sleep(3600);
	wake(*handle);
	return 0;
}

static void start(uintptr_t handle) {
	pthread_t t;
	uintptr_t *p = malloc(sizeof *p);
	*p = handle;
	pthread_create(&t, 0, later, p);
}

static void snooze(void) { sleep(3600); }

extern void waitInGo(uintptr_t handle);

static void through(uintptr_t handle) { waitInGo(handle); }
*/
import "C"

import (
	"runtime/cgo"
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

type held struct {
	mu sync.Mutex
	c  chan int
}

//export wake
func wake(h C.uintptr_t) {
	close(cgo.Handle(h).Value().(*held).c)
	cgo.Handle(h).Delete()
}

// waitInGo waits below a call of C, with a channel that the main function holds.
//
//export waitInGo
func waitInGo(h C.uintptr_t) {
	plant.Here("below-c", "waits")
	<-cgo.Handle(h).Value().(*held).c
}

// threads of C call back.
func threads(bool) {
	for i := 0; i < 5; i++ {
		v := &held{c: make(chan int)}
		h := cgo.NewHandle(v)
		C.start(C.uintptr_t(h))
		go func() {
			plant.Here("threads", "waits")
			<-v.c
		}()
	}
}

// calls sleep in C, and close what they hold in their frames.
func calls(bool) {
	for i := 0; i < 5; i++ {
		v := &held{c: make(chan int)}
		v.mu.Lock()
		go func() {
			C.snooze()
			v.mu.Unlock()
			close(v.c)
		}()
		go func() {
			plant.Here("calls", "waits")
			<-v.c
		}()
		go func() {
			plant.Here("calls", "waits")
			v.mu.Lock()
		}()
	}
	time.Sleep(50 * time.Millisecond)
}

func below(bool) {
	for i := 0; i < 5; i++ {
		v := &held{c: make(chan int)}
		h := cgo.NewHandle(v)
		go C.through(C.uintptr_t(h))
		plant.AtEnd(func() { close(v.c) })
	}
	time.Sleep(50 * time.Millisecond)
}

func main() {
	plant.Main(
		plant.Shape{Name: "threads", Run: threads},
		plant.Shape{Name: "calls", Run: calls},
		plant.Shape{Name: "below-c", Run: below},
	)
}
