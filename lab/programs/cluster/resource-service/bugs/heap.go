package bugs

import (
	"fmt"
	"sync"
	"time"
)

// Leak appends to a list that nothing takes from.
type Leak struct{}

type session struct {
	began time.Time
	state []byte
}

var sessions struct {
	sync.Mutex
	all []*session
}

// Strike forgets one session.
func (Leak) Strike(bytes int, _ Surroundings) { rememberSession(bytes) }

func rememberSession(bytes int) {
	s := &session{time.Now(), filled(bytes)}
	sessions.Lock()
	sessions.all = append(sessions.all, s)
	sessions.Unlock()
}

// Cache is a map without an end: every key is a new one.
type Cache struct{}

var pages struct {
	sync.Mutex
	rendered map[string][]byte
	next     int
}

// Strike keeps one more page.
func (Cache) Strike(bytes int, _ Surroundings) { cachePage(bytes) }

func cachePage(bytes int) {
	page := filled(bytes)
	pages.Lock()
	defer pages.Unlock()
	if pages.rendered == nil {
		pages.rendered = map[string][]byte{}
	}
	pages.next++
	pages.rendered[fmt.Sprintf("/page/%d", pages.next)] = page
}

// Slice keeps three bytes of a block, and with them all of it: a = b[:3].
type Slice struct{}

var heads struct {
	sync.Mutex
	all [][]byte
}

// Strike keeps the head of one more block.
func (Slice) Strike(bytes int, _ Surroundings) { keepHead(filled(bytes)) }

func keepHead(block []byte) {
	heads.Lock()
	heads.all = append(heads.all, block[:3])
	heads.Unlock()
}

// Ranking makes something large for each request, which lives for seconds.
type Ranking struct{}

// Strike makes one.
func (Ranking) Strike(bytes int, _ Surroundings) { go scoreCandidates(bytes) }

func scoreCandidates(bytes int) {
	scores := make([]float64, bytes/8)
	for i := range scores {
		scores[i] = float64(i)
	}
	time.Sleep(4 * time.Second)
	scores[0]++
}

// Churn allocates and forgets at once: memory that only a collector gives back.
type Churn struct{}

var churned []byte

// Strike makes a block that lives until the next one.
func (Churn) Strike(bytes int, _ Surroundings) { encodeReply(bytes) }

var churning sync.Mutex

func encodeReply(bytes int) {
	b := filled(bytes)
	churning.Lock()
	churned = b
	churning.Unlock()
}
