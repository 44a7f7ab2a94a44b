package bugs

import (
	"net"
	"sync"
	"time"
)

// The seven ways of the notes in which goroutines come and do not go. Each holds what it was working on.

// Unbounded starts a goroutine for each task, sooner than they end.
type Unbounded struct{}

// Strike starts one that takes minutes.
func (Unbounded) Strike(bytes int, _ Surroundings) { go transcodeCover(filled(bytes)) }

func transcodeCover(cover []byte) {
	time.Sleep(10 * time.Minute)
	cover[0]++
}

// IO reads from a peer that never answers, without a deadline.
type IO struct{}

// Strike asks once more.
func (IO) Strike(bytes int, around Surroundings) { go fetchThumbnail(around.Silent, filled(bytes)) }

func fetchThumbnail(address string, buffer []byte) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Read(buffer)
}

// Mutex waits for a lock that somebody took and did not give back.
type Mutex struct{}

var views struct {
	sync.Mutex
	last  []byte
	ready bool
}

// Strike records one more view.
func (Mutex) Strike(bytes int, _ Surroundings) { go recordView(filled(bytes)) }

func recordView(view []byte) {
	views.Lock()
	if !views.ready {
		views.ready = true
		// Forgotten: the early return does not unlock.
		return
	}
	views.last = view
	views.Unlock()
}

// WaitGroup waits for as many as were added; one of them never says that it is done.
type WaitGroup struct{}

// Strike gathers once more.
func (WaitGroup) Strike(bytes int, _ Surroundings) { go gatherParts(filled(bytes)) }

func gatherParts(parts []byte) {
	var wg sync.WaitGroup
	wg.Add(2)
	go wg.Done()
	wg.Wait()
	parts[0]++
}

// Select waits for two channels of which none is ever ready.
type Select struct{}

// Strike waits once more.
func (Select) Strike(bytes int, _ Surroundings) { go awaitVerdict(filled(bytes)) }

func awaitVerdict(draft []byte) {
	verdict, cancelled := make(chan int), make(chan struct{})
	select {
	case v := <-verdict:
		draft[0] = byte(v)
	case <-cancelled:
	}
}

// Send sends to a channel from which nobody receives any more.
type Send struct{}

// Strike sends once more.
func (Send) Strike(bytes int, _ Surroundings) {
	results := make(chan []byte)
	go sendResult(results, filled(bytes))
}

func sendResult(results chan<- []byte, result []byte) { results <- result }

// Receive receives from a channel to which nobody sends.
type Receive struct{}

// Strike receives once more.
func (Receive) Strike(bytes int, _ Surroundings) {
	jobs := make(chan []byte)
	go consumeJobs(jobs, filled(bytes))
}

func consumeJobs(jobs <-chan []byte, buffer []byte) {
	for job := range jobs {
		copy(buffer, job)
	}
}
