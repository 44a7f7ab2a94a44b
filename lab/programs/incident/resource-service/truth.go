package main

import (
	"math/rand"
	"os"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// The truth file lets a test compare what an observer said about this process
// with what was so. It is a shared memory mapping of truthSize bytes, so the
// last values are in the file even after a SIGKILL. It holds 64-bit
// little-endian integers (native order; the machines this runs on are all
// little-endian), one per field below, at the offset 8*field. The rest is 0.
//
// Writers use atomic stores, so each field is whole; two fields need not be of
// the same instant. Fields marked (e) are exact at every instant, the others
// are refreshed every 5 ms.
const (
	fieldMagic        = iota //   0 truthMagic; written last, so it says the rest is valid
	fieldVersion             //   8 truthVersion
	fieldPID                 //  16
	fieldUpdated             //  24 Unix time of the last refresh, in ns
	fieldLiveMaps            //  32 (e) avid maps that exist now, of any size, also those being built
	fieldMapsBuilt           //  40 (e) avid maps finished since the start
	fieldMapLiveBytes        //  48 live bytes of one finished map of fieldMeasureIDs ids
	fieldMapAlloc            //  56 bytes allocated to build one such map
	fieldHeapObjects         //  64 /memory/classes/heap/objects:bytes (live objects and dead ones not yet swept)
	fieldHeapBefore          //  72 the same just before the newest configuration was read; 0 before the first reload
	fieldConfigIDs           //  80 ids in the newest configuration
	fieldConfigLoaded        //  88 Unix time at which it came into use, in ns
	fieldRequests            //  96 (e) requests begun since the start
	fieldGoroutines          // 104
	fieldGCCycles            // 112 collections finished since the start, forced ones too
	fieldLiveFull            // 120 (e) of fieldLiveMaps: finished, and with at least fieldMeasureIDs ids
	fieldBuilding            // 128 (e) of fieldLiveMaps: being built right now
	fieldLiveIDs             // 136 (e) sum of the ids in finished living maps
	fieldMeasureIDs          // 144 size of the map that was measured
	fieldConfigMtime         // 152 modification time of the newest configuration, in ns
	fieldStarted             // 160 Unix time of the process start, in ns
	fieldCount

	truthSize    = 4096
	truthMagic   = 0x3148545552544c47 // the bytes "GLTRUTH1"
	truthVersion = 1
)

// truth is the mapping. Without a -truth file it is ordinary memory, so that
// the service does the same work with and without it.
type truth struct {
	words      *[truthSize / 8]uint64
	measureIDs int
}

func openTruth(path string) (*truth, error) {
	t := &truth{words: new([truthSize / 8]uint64)}
	if path == "" {
		return t, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping stays
	if err := f.Truncate(truthSize); err != nil {
		return nil, err
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, truthSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	t.words = (*[truthSize / 8]uint64)(unsafe.Pointer(&mem[0]))
	return t, nil
}

func (t *truth) set(field int, v uint64) { atomic.StoreUint64(&t.words[field], v) }

// add adds n, which may be negative: the words wrap around.
func (t *truth) add(field int, n int) { atomic.AddUint64(&t.words[field], uint64(int64(n))) }

func (t *truth) mapBegins(int) {
	t.add(fieldLiveMaps, 1)
	t.add(fieldBuilding, 1)
}

func (t *truth) mapBuilt(ids int) {
	t.add(fieldMapsBuilt, 1)
	t.add(fieldBuilding, -1)
	t.addFinished(ids, 1)
}

func (t *truth) mapEnds(ids int) {
	t.addFinished(ids, -1)
	t.add(fieldLiveMaps, -1)
}

func (t *truth) addFinished(ids, sign int) {
	t.add(fieldLiveIDs, sign*ids)
	if t.measureIDs > 0 && ids >= t.measureIDs {
		t.add(fieldLiveFull, sign)
	}
}

// measureMap finds out what one map of n ids costs. It forces collections, so
// it must run before the service has a heap and before it serves. Heap
// profiling is off meanwhile, so that the measurement never shows up in a
// profile of the service.
func (t *truth) measureMap(n int) {
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 0
	defer func() { runtime.MemProfileRate = rate }()

	rng := rand.New(rand.NewSource(2))
	ids := make([]int64, 0, n)
	seen := make(map[int64]bool, n)
	for len(ids) < n {
		if id := 100_000 + rng.Int63n(9_900_000); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	seen = nil

	var before, built, after runtime.MemStats
	// Twice: the second one sweeps what the first one found dead.
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := buildAvidMap(ids)
	runtime.ReadMemStats(&built)
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(m)
	// The list must outlive both readings too, or its end would be counted.
	runtime.KeepAlive(ids)

	t.measureIDs = n
	t.set(fieldMeasureIDs, uint64(n))
	t.set(fieldMapLiveBytes, after.HeapAlloc-before.HeapAlloc)
	t.set(fieldMapAlloc, built.TotalAlloc-before.TotalAlloc)
}

// keepUpdated refreshes the fields that change by themselves. runtime/metrics
// does not stop the world, as ReadMemStats would.
func (t *truth) keepUpdated(every time.Duration) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
	}
	refresh := func() {
		metrics.Read(samples)
		t.set(fieldHeapObjects, samples[0].Value.Uint64())
		t.set(fieldGCCycles, samples[1].Value.Uint64())
		t.set(fieldGoroutines, uint64(runtime.NumGoroutine()))
		t.set(fieldUpdated, uint64(time.Now().UnixNano()))
	}
	t.set(fieldVersion, truthVersion)
	t.set(fieldPID, uint64(os.Getpid()))
	t.set(fieldStarted, uint64(time.Now().UnixNano()))
	refresh()
	t.set(fieldMagic, truthMagic)
	for range time.Tick(every) {
		refresh()
	}
}

func heapObjectsBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
