// Command awaited holds goroutines that wait for everything that Go code can wait for, and writes into the file that it
// is told what each of them waits for, by its number: the address, what is in it, who else waits, how many calls of Done
// are missing, whether there is a deadline, who the peer is. Then it prints READY and stands still until its input ends.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// One thing that a goroutine waits for.
type wait struct {
	Operation string `json:"operation"`
	Kind      string `json:"kind"`
	Address   uint64 `json:"address"`
	Type      string `json:"type"`
	Length    int    `json:"length"`
	Capacity  int    `json:"capacity"`
	Closed    bool   `json:"closed"`
	IsTimer   bool   `json:"is_timer"`
	// Seconds until the timer of a channel sends; 0 without one.
	TimerIn   int    `json:"timer_in"`
	Senders   int    `json:"senders"`
	Receivers int    `json:"receivers"`
	Waiters   int    `json:"waiters"`
	PartOf    string `json:"part_of"`
	// Of locks.
	Locked         bool `json:"locked"`
	Readers        int  `json:"readers"`
	WaitingReaders int  `json:"waiting_readers"`
	Writer         bool `json:"writer"`
	MissingDone    *int `json:"missing_done"`
	// Of descriptors.
	Fd           int    `json:"fd"`
	What         string `json:"what"`
	Local        string `json:"local"`
	Peer         string `json:"peer"`
	ReceiveQueue *int   `json:"receive_queue"`
	HasDeadline  bool   `json:"has_deadline"`
	// Seconds until the deadline.
	DeadlineIn int `json:"deadline_in"`
}

// A goroutine that waits.
type goroutine struct {
	Name  string `json:"name"`
	ID    uint64 `json:"id"`
	Waits []wait `json:"waits"`
	// Seconds until it wakes by itself; 0 if it does not.
	WakesIn int `json:"wakes_in"`
	// Whether it lives in a bubble of synctest.
	InBubble bool `json:"in_bubble"`
}

var (
	truth   []goroutine
	started sync.WaitGroup
	hold    []interface{}
	// What releases from some on have.
	moreWaits []func()
)

func id() uint64 {
	buffer := make([]byte, 64)
	fields := bytes.Fields(buffer[:runtime.Stack(buffer, false)])
	n, _ := strconv.ParseUint(string(fields[1]), 10, 64)
	return n
}

// Starts a goroutine that waits in f for that.
func park(name string, f func(), wakesIn int, waits ...wait) {
	truth = append(truth, goroutine{Name: name, Waits: waits, WakesIn: wakesIn})
	index := len(truth) - 1
	started.Add(1)
	go func() {
		truth[index].ID = id()
		started.Done()
		f()
	}()
	// One after the other, and each until it waits: they do not write at once, none stands in another's place in a queue, and
	// none reads a variable of its caller that has been given something else since (seen on a busy machine: it read a connection
	// on which the next pair of goroutines writes, and ended).
	started.Wait()
	for !isParked(truth[index].ID) {
		time.Sleep(time.Millisecond)
	}
}

// Whether a goroutine neither runs nor could.
func isParked(id uint64) bool {
	buffer := make([]byte, 1<<20)
	_, after, found := strings.Cut("\n"+string(buffer[:runtime.Stack(buffer, true)]), fmt.Sprintf("\ngoroutine %d [", id))
	if !found {
		check(fmt.Errorf("goroutine %d has ended", id))
	}
	return !strings.HasPrefix(after, "run")
}

func address(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type item struct{ a, b int }

type cache struct {
	name string
	mu   sync.Mutex
	m    map[string]int
}

var (
	globalMutex sync.Mutex
	globalCond  sync.Cond
	done        = make(chan struct{})
)

func chanOf(operation string, p *unsafe.Pointer, kind string, length, capacity, senders, receivers int) wait {
	return wait{Operation: operation, Kind: "channel", Address: address(*p), Type: kind, Length: length, Capacity: capacity,
		Senders: senders, Receivers: receivers}
}

func channels() {
	unbuffered := make(chan *item)
	for i := 0; i < 3; i++ {
		park("send", func() { unbuffered <- &item{} }, 0,
			chanOf("send", (*unsafe.Pointer)(unsafe.Pointer(&unbuffered)), "*main.item", 0, 0, 3, 0))
	}
	full := make(chan []string, 4)
	for i := 0; i < 4; i++ {
		full <- nil
	}
	for i := 0; i < 2; i++ {
		park("send-full", func() { full <- nil }, 0,
			chanOf("send", (*unsafe.Pointer)(unsafe.Pointer(&full)), "[]string", 4, 4, 2, 0))
	}
	empty := make(chan struct{}, 3)
	for i := 0; i < 5; i++ {
		park("receive", func() { <-empty }, 0,
			chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&empty)), "struct {}", 0, 3, 0, 5))
	}
	ranged := make(chan map[string]int)
	park("range", func() {
		for range ranged {
		}
	}, 0, chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&ranged)), "map[string]int", 0, 0, 0, 1))
	// Three cases: sends, receives, and a timer; two of them on one channel.
	a, b := make(chan int, 1), make(chan string)
	later := time.After(time.Hour)
	timed := chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&later)), "time.Time", 0, 1, 0, 2)
	timed.IsTimer, timed.TimerIn = true, 3600
	for i := 0; i < 2; i++ {
		park("select", func() {
			select {
			case <-a:
			case b <- "x":
			case <-later:
			}
		}, 3600,
			chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&a)), "int", 0, 1, 0, 2),
			chanOf("send", (*unsafe.Pointer)(unsafe.Pointer(&b)), "string", 0, 0, 2, 0),
			timed)
	}
	both := make(chan int)
	park("select-both", func() {
		select {
		case <-both:
		case both <- 1:
		}
	}, 0,
		chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&both)), "int", 0, 0, 1, 1),
		chanOf("send", (*unsafe.Pointer)(unsafe.Pointer(&both)), "int", 0, 0, 1, 1))
	ctx, cancel := context.WithCancel(context.Background())
	ch := ctx.Done()
	park("context", func() { <-ch }, 0, chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&ch)), "struct {}", 0, 0, 0, 1))
	hold = append(hold, cancel)
	var none chan int
	park("send-nil", func() { none <- 1 }, 0, wait{Operation: "send-nil"})
	park("receive-nil", func() { <-none }, 0, wait{Operation: "receive-nil"})
	park("no-cases", func() { select {} }, 0, wait{Operation: "no-cases"})
}

func timers() {
	park("sleep", func() { time.Sleep(2 * time.Hour) }, 7200, wait{Operation: "sleep"})
	ticker := time.NewTicker(90 * time.Minute)
	tick := chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&ticker.C)), "time.Time", 0, 1, 0, 1)
	tick.IsTimer, tick.TimerIn = true, 5400
	park("ticker", func() {
		for range ticker.C {
		}
	}, 5400, tick)
	reset := time.NewTimer(time.Hour)
	reset.Reset(3 * time.Hour)
	moved := chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&reset.C)), "time.Time", 0, 1, 0, 1)
	moved.IsTimer, moved.TimerIn = true, 10800
	park("timer-reset", func() { <-reset.C }, 10800, moved)
	// Nothing sends there any more: whether it is known as a timer's hangs on the release.
	stopped := time.NewTimer(time.Hour)
	stopped.Stop()
	park("timer-stopped", func() { <-stopped.C }, 0,
		chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&stopped.C)), "time.Time", 0, 1, 0, 1))
	hold = append(hold, ticker, reset, stopped)
}

func locks() {
	lock := func(m *sync.Mutex, waiters int) wait {
		return wait{Operation: "lock", Kind: "mutex", Address: address(unsafe.Pointer(m)), Locked: true, Waiters: waiters}
	}
	c := &cache{name: "cache"}
	c.mu.Lock()
	for i := 0; i < 5; i++ {
		park("mutex", func() { c.mu.Lock() }, 0, lock(&c.mu, 5))
	}
	globalMutex.Lock()
	park("mutex-global", func() { globalMutex.Lock() }, 0, lock(&globalMutex, 1))
	lone := new(sync.Mutex)
	park("mutex-twice", func() { lone.Lock(); lone.Lock() }, 0, lock(lone, 1))

	rw := func(operation string, m *sync.RWMutex, waiters int) wait {
		return wait{Operation: operation, Kind: "rwmutex", Address: address(unsafe.Pointer(m)), Waiters: waiters}
	}
	// A writer holds it: readers and other writers wait.
	written := new(sync.RWMutex)
	written.Lock()
	held := func(operation string) wait {
		w := rw(operation, written, 5)
		w.Locked, w.Writer, w.WaitingReaders = true, true, 3
		return w
	}
	for i := 0; i < 3; i++ {
		park("read-lock", func() { written.RLock() }, 0, held("read-lock"))
	}
	for i := 0; i < 2; i++ {
		park("write-lock-second", func() { written.Lock() }, 0, held("write-lock"))
	}
	// Readers hold it, a writer waits for them, and further readers for that.
	read := new(sync.RWMutex)
	read.RLock()
	read.RLock()
	pending := func(operation string) wait {
		w := rw(operation, read, 4)
		w.Locked, w.Writer, w.Readers, w.WaitingReaders = true, true, 2, 3
		return w
	}
	park("write-lock-pending", func() { read.Lock() }, 0, pending("write-lock"))
	for i := 0; i < 3; i++ {
		park("read-lock-behind", func() { read.RLock() }, 0, pending("read-lock"))
	}

	for _, missing := range []int{1, 7, 1000} {
		missing, group := missing, new(sync.WaitGroup)
		group.Add(missing + 2)
		group.Done()
		group.Done()
		for i := 0; i < 2; i++ {
			park("wait-group", func() { group.Wait() }, 0, wait{Operation: "wait-group", Kind: "waitgroup",
				Address: address(unsafe.Pointer(group)), MissingDone: &missing, Waiters: 2})
		}
	}

	var mutex sync.Mutex
	cond := sync.NewCond(&mutex)
	condition := func(c *sync.Cond, waiters int) wait {
		return wait{Operation: "cond-wait", Kind: "cond", Address: address(unsafe.Pointer(c)), Waiters: waiters}
	}
	for i := 0; i < 4; i++ {
		park("cond", func() { mutex.Lock(); cond.Wait() }, 0, condition(cond, 4))
	}
	globalCond.L = &mutex
	park("cond-global", func() { mutex.Lock(); globalCond.Wait() }, 0, condition(&globalCond, 1))

	once := new(sync.Once)
	park("once-first", func() { once.Do(func() { <-done }) }, 0,
		chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&done)), "struct {}", 0, 0, 0, 1))
	for i := 0; i < 2; i++ {
		park("once", func() { once.Do(func() {}) }, 0, wait{Operation: "lock", Kind: "mutex", Locked: true, Waiters: 2,
			PartOf: "sync.Once"})
	}
	hold = append(hold, c, lone, written, read, cond, once)
}

type fileConn interface {
	SyscallConn() (syscall.RawConn, error)
}

func fd(c fileConn) int {
	raw, err := c.SyscallConn()
	check(err)
	out := -1
	check(raw.Control(func(fd uintptr) { out = int(fd) }))
	return out
}

func conn(operation, what string, c net.Conn, deadline int) wait {
	w := wait{Operation: operation, Kind: "descriptor", What: what, Fd: fd(c.(fileConn)), Waiters: 1,
		HasDeadline: deadline > 0, DeadlineIn: deadline}
	if c.LocalAddr() != nil {
		w.Local = c.LocalAddr().String()
	}
	if c.RemoteAddr() != nil {
		w.Peer = c.RemoteAddr().String()
	}
	if what == "unix" {
		w.Local, w.Peer = "", ""
	}
	return w
}

func inOut() {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		pair := func() (net.Conn, net.Conn) {
			client, err := net.Dial("tcp", listener.Addr().String())
			check(err)
			server, err := listener.Accept()
			check(err)
			hold = append(hold, client, server)
			return client, server
		}
		client, server := pair()
		park("tcp-read", func() { client.Read(make([]byte, 8)) }, 0, conn("read", "tcp", client, 0))
		// Another one reads the same: it waits for the first.
		park("tcp-read-second", func() { client.Read(make([]byte, 8)) }, 0, wait{Operation: "semaphore", Kind: "semaphore",
			Waiters: 1, PartOf: "internal/poll.FD"})
		check(server.SetReadDeadline(time.Now().Add(time.Hour)))
		park("tcp-read-deadline", func() { server.Read(make([]byte, 8)) }, 3600, conn("read", "tcp", server, 3600))
		// Nobody reads: what is written stays in the kernel's queues, and the rest waits. It has a deadline for
		// reads, which is not what it waits for.
		// With small queues, so that they are full at once on a busy machine too.
		writer, other := pair()
		for _, c := range []net.Conn{writer, other} {
			check(c.(*net.TCPConn).SetWriteBuffer(8 << 10))
			check(c.(*net.TCPConn).SetReadBuffer(8 << 10))
		}
		check(writer.SetReadDeadline(time.Now().Add(time.Hour)))
		park("tcp-write", func() { writer.Write(make([]byte, 8<<20)) }, 0, conn("write", "tcp", writer, 0))
		check(other.SetDeadline(time.Now().Add(2 * time.Hour)))
		park("tcp-write-deadline", func() { other.Write(make([]byte, 8<<20)) }, 7200, conn("write", "tcp", other, 7200))
		accept := wait{Operation: "read", Kind: "descriptor", What: "tcp", Fd: fd(listener.(fileConn)), Waiters: 1,
			Local: listener.Addr().String()}
		park("accept", func() { listener.Accept() }, 0, accept)
		hold = append(hold, listener)
	}
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	park("udp", func() { packet.ReadFrom(make([]byte, 8)) }, 0, wait{Operation: "read", Kind: "descriptor", What: "udp",
		Fd: fd(packet.(fileConn)), Waiters: 1, Local: packet.LocalAddr().String()})
	dir, err := os.MkdirTemp("", "awaited")
	check(err)
	unix, err := net.Listen("unix", filepath.Join(dir, "socket"))
	check(err)
	client, err := net.Dial("unix", unix.Addr().String())
	check(err)
	server, err := unix.Accept()
	check(err)
	park("unix", func() { client.Read(make([]byte, 8)) }, 0, conn("read", "unix", client, 0))
	check(os.RemoveAll(dir))
	read, write, err := os.Pipe()
	check(err)
	pipe := func(read *os.File, deadline int) wait {
		return wait{Operation: "read", Kind: "descriptor", What: "pipe", Fd: fd(read), Waiters: 1, HasDeadline: deadline > 0,
			DeadlineIn: deadline}
	}
	park("pipe", func() { read.Read(make([]byte, 8)) }, 0, pipe(read, 0))
	timed, other, err := os.Pipe()
	check(err)
	check(timed.SetReadDeadline(time.Now().Add(time.Hour)))
	park("pipe-deadline", func() { timed.Read(make([]byte, 8)) }, 3600, pipe(timed, 3600))
	var blocking [2]int
	check(syscall.Pipe(blocking[:]))
	park("system-call", func() { syscall.Read(blocking[0], make([]byte, 8)) }, 0, wait{Operation: "system-call"})
	hold = append(hold, packet, unix, client, server, read, write, timed, other)
}

func main() {
	channels()
	timers()
	locks()
	inOut()
	for _, more := range moreWaits {
		more()
	}
	time.Sleep(300 * time.Millisecond)
	runtime.GC()
	text, err := json.Marshal(truth)
	check(err)
	check(os.WriteFile(os.Args[1], text, 0o644))
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(hold)
}
