// Package textbook has the patterns of the notes, each in a few lines, as they are told to beginners.
package textbook

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// 1. Too many goroutines.

func spawnForever(tasks chan func()) {
	for {
		task := <-tasks
		go task() // want goroutine-unbounded
	}
}

func spawnEach(w http.ResponseWriter, r *http.Request) {
	for i := 0; i < 1000; i++ {
		go func(n int) { // want goroutine-unbounded
			time.Sleep(time.Minute)
			fmt.Println(n)
		}(i)
	}
}

func spawnLimited(tasks []func()) {
	sem := make(chan struct{}, 10)
	var wg sync.WaitGroup
	for _, t := range tasks {
		sem <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-sem; wg.Done() }()
			t()
		}()
	}
	wg.Wait()
}

// 2. I/O without a timeout.

func callThirdParty() (string, error) {
	client := &http.Client{} // want client-no-timeout
	resp, err := client.Get("http://third.party/api")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func callWithTimeout() error {
	client := &http.Client{Timeout: 3 * time.Second}
	resp, err := client.Get("http://third.party/api")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func rawConn() error {
	conn, err := net.DialTimeout("tcp", "10.0.0.1:80", time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	buf := make([]byte, 1024)
	for {
		if _, err := conn.Read(buf); err != nil { // want conn-no-deadline
			return err
		}
	}
}

// 3. A lock that is not released.

var (
	mutex sync.Mutex
	total int
)

func lockA(fail bool) error {
	mutex.Lock() // want lock-not-released
	total++
	if fail {
		return errors.New("failed")
	}
	mutex.Unlock()
	return nil
}

func lockB() {
	mutex.Lock()
	defer mutex.Unlock()
	total++
}

func lockPanic(m map[string]int, k string) int {
	mutex.Lock()
	if _, ok := m[k]; !ok {
		panic("no such key")
	}
	v := m[k]
	mutex.Unlock()
	return v
}

func lockNever() {
	mutex.Lock() // want lock-not-released
	total--
}

func lockSwitch(kind int) int {
	mutex.Lock() // want lock-not-released
	switch kind {
	case 1:
		mutex.Unlock()
		return 1
	case 2:
		return 2
	default:
	}
	mutex.Unlock()
	return 0
}

// 4. WaitGroups.

func groupMore() {
	var wg sync.WaitGroup
	wg.Add(3) // want wg-count-mismatch
	for i := 0; i < 2; i++ {
		go func() {
			defer wg.Done()
			time.Sleep(time.Millisecond)
		}()
	}
	wg.Wait()
}

func groupErr(urls []string) error {
	var wg sync.WaitGroup
	for _, u := range urls {
		wg.Add(1)
		go func(u string) {
			resp, err := http.Get(u) // want client-no-timeout
			if err != nil {
				return // want wg-done-missed
			}
			resp.Body.Close()
			wg.Done()
		}(u)
	}
	wg.Wait()
	return nil
}

func groupFine(urls []string) {
	wg := &sync.WaitGroup{}
	wg.Add(len(urls))
	for _, u := range urls {
		go func(u string) {
			defer wg.Done()
			fmt.Println(u)
		}(u)
	}
	wg.Wait()
}

func groupNoWait(n int) {
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1) // want wg-count-mismatch
		go func() {
			time.Sleep(time.Millisecond)
		}()
	}
	wg.Wait()
}

// 5. Select.

func selectBoth(a, b chan int) {
	go func() {
		for { // want goroutine-no-exit
			select { // want select-no-way-out
			case v := <-a:
				fmt.Println(v)
			case v := <-b:
				fmt.Println(v)
			}
		}
	}()
}

func selectDone(ctx context.Context, a chan int) {
	go func() {
		for {
			select {
			case v := <-a:
				fmt.Println(v)
			case <-ctx.Done():
				return
			}
		}
	}()
}

func selectNone() {
	go func() {
		select {} // want goroutine-no-exit
	}()
}

// 6. Channels.

func writeNoReader() {
	ch := make(chan int)
	go func() {
		ch <- 1 // want channel-one-sided
		fmt.Println("never")
	}()
}

func writeFull() {
	ch := make(chan int, 2)
	for i := 0; i < 3; i++ {
		ch <- i // want channel-one-sided
	}
	fmt.Println(<-ch)
}

func readNoWriter() {
	ch := make(chan int)
	go func() {
		v := <-ch // want channel-one-sided
		fmt.Println(v)
	}()
}

func readAfter() int {
	ch := make(chan int, 1)
	go func() { ch <- 1 }()
	return <-ch
}

func selfBlock() {
	ch := make(chan int)
	ch <- 1 // want channel-one-sided
	fmt.Println(<-ch)
}

func rangeOpen(items []int) {
	ch := make(chan int)
	go func() {
		for v := range ch { // want range-never-closed
			fmt.Println(v)
		}
	}()
	for _, i := range items {
		ch <- i
	}
}

func rangeClosed(items []int) {
	ch := make(chan int)
	go func() {
		defer close(ch)
		for _, i := range items {
			ch <- i
		}
	}()
	for v := range ch {
		fmt.Println(v)
	}
}

func timeoutLeak() (int, error) {
	result := make(chan int)
	go func() {
		time.Sleep(2 * time.Second)
		result <- 42 // want send-abandoned
	}()
	select {
	case v := <-result:
		return v, nil
	case <-time.After(time.Second):
		return 0, errors.New("timeout")
	}
}

func nilChannel() {
	var ch chan int
	go func() {
		ch <- 1 // want channel-is-nil
	}()
	fmt.Println(<-ch)
}

// 7. Slices.

var (
	keep   []byte
	log1   []string
	byName = map[string][]byte{}
)

func head(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	keep = data[:10] // want slice-kept
	return nil
}

func headCopied(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	keep = append([]byte(nil), data[:10]...)
	return nil
}

func record(w http.ResponseWriter, r *http.Request) {
	log1 = append(log1, r.URL.Path) // want append-never-cleared
	w.WriteHeader(http.StatusOK)
}

func remember(name string, body []byte) {
	byName[name] = body[2:6] // want map-only-grows slice-kept
}

func shrink(list []*bytes.Buffer) []*bytes.Buffer {
	return list[:len(list)-1]
}

// And the rest.

func tick() {
	t := time.NewTicker(time.Second) // want ticker-not-stopped
	for range t.C {
		fmt.Println("tick")
		if total > 10 {
			break
		}
	}
}

func rows(db *sql.DB) (n int, err error) {
	rs, err := db.Query("SELECT 1") // want rows-not-closed
	if err != nil {
		return 0, err
	}
	for rs.Next() {
		if err := rs.Scan(&n); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func body(url string) error {
	resp, err := http.Get(url) // want body-not-closed client-no-timeout
	if err != nil {
		return err
	}
	if resp.StatusCode != 200 {
		return errors.New(resp.Status)
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(&total)
}

func deferLoop(files []string) {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		defer f.Close() // want defer-in-loop
		_, _ = io.Copy(io.Discard, f)
	}
}

func rlockTwice(mu *sync.RWMutex, m map[string]int) int {
	mu.RLock()
	defer mu.RUnlock()
	mu.RLock() // want locked-again
	defer mu.RUnlock()
	return len(m)
}

func cond(c *sync.Cond, ready *bool) {
	c.L.Lock()
	for !*ready {
		c.Wait()
	}
	c.L.Unlock()
}

func after(ctx context.Context, in chan int) {
	for {
		select {
		case <-in:
		case <-time.After(3 * time.Minute): // want time-after-in-loop
			fmt.Println("idle")
		case <-ctx.Done():
			return
		}
	}
}
