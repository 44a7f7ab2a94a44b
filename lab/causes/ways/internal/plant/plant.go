// Package plant is what the programs of this lab have in common: it knows which goroutine is which, waits until all
// stand still, says so, and holds what a healthy program's main function holds. It has no pointer to anything that is
// waited for.
package plant

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Shape is one form of a program's cause. Repaired, it waits as well, but for something that comes.
type Shape struct {
	Name string
	Run  func(fixed bool)
	// Whether the next one may begin before this one stands still: to look takes long where there are thousands.
	Hasty bool
}

type planted struct {
	Shape string              `json:"shape"`
	Roles map[string][]uint64 `json:"roles"`
	Facts map[string]string   `json:"facts,omitempty"`
	// Those that end.
	moves map[uint64]bool
}

var (
	mu     sync.Mutex
	shapes = map[string]*planted{}
	atEnd  []func()
	last   []func()
)

func of(shape string) *planted {
	p := shapes[shape]
	if p == nil {
		p = &planted{Shape: shape, Roles: map[string][]uint64{}, Facts: map[string]string{}, moves: map[uint64]bool{}}
		shapes[shape] = p
	}
	return p
}

// Goid is the number of the goroutine that calls.
func Goid() uint64 {
	var buf [64]byte
	line := string(buf[:runtime.Stack(buf[:], false)])
	id, err := strconv.ParseUint(strings.Fields(line)[1], 10, 64)
	if err != nil {
		panic(line)
	}
	return id
}

// Here says what the goroutine that calls is in a shape: it is to stand still when the program is ready.
func Here(shape, role string) {
	id := Goid()
	mu.Lock()
	defer mu.Unlock()
	p := of(shape)
	p.Roles[role] = append(p.Roles[role], id)
}

// Ended says that a goroutine of this role was there and is not any more.
func Ended(shape, role string) {
	id := Goid()
	mu.Lock()
	defer mu.Unlock()
	p := of(shape)
	p.Roles[role] = append(p.Roles[role], id)
	p.moves[id] = true
}

// Fact is something else that is known: a peer's address, how many calls of Done are missing.
func Fact(shape, key string, value interface{}) {
	mu.Lock()
	defer mu.Unlock()
	of(shape).Facts[key] = fmt.Sprint(value)
}

// Find gives the role to all goroutines, not known yet, in whose stack a function stands.
func Find(shape, role, function string) int {
	found := 0
	for _, g := range all() {
		if !strings.Contains(g.stack, "\n"+function+"(") {
			continue
		}
		mu.Lock()
		known := false
		for _, p := range shapes {
			for _, ids := range p.Roles {
				for _, id := range ids {
					known = known || id == g.id
				}
			}
		}
		if !known {
			p := of(shape)
			p.Roles[role] = append(p.Roles[role], g.id)
			found++
		}
		mu.Unlock()
	}
	return found
}

// FindN is Find, repeated until so many were found, or for five seconds.
func FindN(shape, role, function string, n int) {
	for began := time.Now(); n > 0 && time.Since(began) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		n -= Find(shape, role, function)
	}
}

// AtEnd has the main function hold something, and call it when the program's input ends.
func AtEnd(f func()) {
	mu.Lock()
	defer mu.Unlock()
	atEnd = append(atEnd, f)
}

// Last has something begin that does not stand still, when all the rest does.
func Last(f func()) { last = append(last, f) }

// Later has a timer hold something, and call it in an hour.
func Later(f func()) { time.AfterFunc(time.Hour, f) }

type goroutine struct {
	id    uint64
	state string
	stack string
}

func all() []goroutine {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var out []goroutine
	for _, part := range strings.Split(string(buf), "\n\n") {
		head := strings.SplitN(part, "\n", 2)[0]
		open, shut := strings.Index(head, "["), strings.Index(head, "]")
		words := strings.Fields(head)
		if open < 0 || shut < open || len(words) < 3 {
			continue
		}
		id, _ := strconv.ParseUint(words[1], 10, 64)
		out = append(out, goroutine{id, strings.Split(head[open+1:shut], ",")[0], part})
	}
	return out
}

// Settle returns when all goroutines but the one that calls stand still; or after ten seconds.
func Settle() {
	self := Goid()
	before := ""
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(15 * time.Millisecond) {
		still, now := true, []string{}
		for _, g := range all() {
			if g.id == self {
				continue
			}
			now = append(now, fmt.Sprint(g.id, g.state))
			still = still && g.state != "running" && g.state != "runnable" && g.state != "copystack"
		}
		text := strings.Join(now, ",")
		if still && text == before {
			return
		}
		before = text
	}
	fmt.Fprintln(os.Stderr, "not still:", before)
}

// Main plays all shapes, or those that -shape names; prints a line for each, and READY; and ends when its input does.
func Main(list ...Shape) {
	fixed := flag.Bool("healthy", false, "the program repaired")
	only := flag.String("shape", "", "only these, with commas between")
	flag.Parse()
	play(list, *fixed, *only)
	runtime.GC()
	runtime.GC()
	Settle()
	for _, f := range last {
		f()
	}
	last = nil
	ends := tell()
	fmt.Println("READY")
	wait()
	for _, f := range ends {
		f()
	}
}

func play(list []Shape, fixed bool, only string) {
	for _, s := range list {
		if only == "" || strings.Contains(","+only+",", ","+s.Name+",") {
			s.Run(fixed)
			if !s.Hasty {
				Settle()
			}
		}
	}
}

// tell prints what is planted, and gives what the main function holds from now on.
func tell() []func() {
	mu.Lock()
	defer mu.Unlock()
	names := []string{}
	for name := range shapes {
		names = append(names, name)
	}
	sort.Strings(names)
	live := map[uint64]bool{}
	for _, g := range all() {
		live[g.id] = true
	}
	for _, name := range names {
		p := shapes[name]
		for role, ids := range p.Roles {
			there := []uint64{}
			for _, id := range ids {
				if live[id] || p.moves[id] {
					there = append(there, id)
				}
			}
			p.Roles[role] = there
		}
		line, err := json.Marshal(shapes[name])
		if err != nil {
			panic(err)
		}
		fmt.Println(string(line))
	}
	ends := atEnd
	atEnd = nil
	return ends
}

// wait blocks in a system call, so that the main goroutine is one that can run.
func wait() {
	for buf := make([]byte, 1); ; {
		n, err := syscall.Read(0, buf)
		if err == syscall.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return
		}
	}
}

// Park gives the rest of the program to another goroutine and leaves the main one to the caller, who may block for ever.
func Park(list ...Shape) {
	go func() {
		Main(list...)
		os.Exit(0)
	}()
}
