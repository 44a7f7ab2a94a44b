// Command collections has maps of all kinds and states, channels, sync.Maps and a sync.Pool, and writes to the file that is named where each stands, of which
// type it is and what is in it (truth.json). Then it prints READY and waits until its input ends.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"unsafe"
)

// collection is one, with the sums of the first eight bytes of all keys and of all values.
type collection struct {
	Name string `json:"name"`
	// Address of the map, channel, sync.Map or pool; of the type's descriptor, if it is a map.
	At       uintptr `json:"at"`
	Type     uintptr `json:"type"`
	TypeName string  `json:"type_name"`
	Elements int     `json:"elements"`
	Keys     uint64  `json:"keys"`
	Values   uint64  `json:"values"`
}

type truth struct {
	Maps     []collection `json:"maps"`
	Chans    []collection `json:"chans"`
	SyncMaps []collection `json:"sync_maps"`
	Pools    []collection `json:"pools"`
}

type wide struct {
	a [20]int64
	b string
}

type padded struct {
	a int8
	b int64
	c int16
}

var (
	found truth
	keep  []interface{}
)

// word is the first eight bytes of a value.
func word(v reflect.Value) uint64 {
	at := reflect.New(v.Type())
	at.Elem().Set(v)
	n := v.Type().Size()
	if n > 8 {
		n = 8
	}
	var out [8]byte
	copy(out[:], unsafe.Slice((*byte)(at.UnsafePointer()), n))
	return *(*uint64)(unsafe.Pointer(&out))
}

func typeOf(x interface{}) uintptr { return (*[2]uintptr)(unsafe.Pointer(&x))[0] }

func plant(name string, m interface{}) {
	keep = append(keep, m)
	v := reflect.ValueOf(m)
	c := collection{Name: name, At: v.Pointer(), Type: typeOf(m), TypeName: v.Type().String(), Elements: v.Len()}
	for it := v.MapRange(); it.Next(); {
		c.Keys += word(it.Key())
		c.Values += word(it.Value())
	}
	found.Maps = append(found.Maps, c)
}

func grown(n int) map[int64]int64 {
	m := map[int64]int64{}
	for i := 0; i < n; i++ {
		m[int64(i)*7919] = int64(i)
	}
	return m
}

func maps() {
	for _, n := range []int{0, 1, 7, 8, 9, 13, 14, 15, 100, 896, 897, 1000, 5000, 100000} {
		plant(fmt.Sprint("numbers ", n), grown(n))
	}
	// Just over what a map has room for: of those of buckets most is in the old array still.
	for b := 3; b <= 13; b++ {
		for more := 1; more <= 5; more++ {
			plant(fmt.Sprint("growing ", b, " ", more), grown(13<<(b-1)+more))
		}
	}
	set := map[int64]struct{}{}
	texts := map[string]string{}
	bytes, flags := map[int8]uint8{}, map[uint16]bool{}
	wideKeys, wideValues, wideBoth := map[wide]int{}, map[int]wide{}, map[[200]byte]wide{}
	paddedOnes := map[padded]padded{}
	anys := map[interface{}]interface{}{}
	nested := map[int]map[string]int{}
	for i := 0; i < 3000; i++ {
		set[int64(i)] = struct{}{}
		texts[fmt.Sprint("key ", i)] = fmt.Sprint("value ", i)
		bytes[int8(i)] = uint8(i)
		flags[uint16(i)] = i%3 == 0
		wideKeys[wide{a: [20]int64{int64(i)}}] = i
		wideValues[i] = wide{a: [20]int64{int64(i)}, b: "text"}
		wideBoth[[200]byte{byte(i), byte(i >> 8)}] = wide{a: [20]int64{int64(i) * 3}}
		paddedOnes[padded{int8(i), int64(i), 1}] = padded{1, 2, int16(i)}
		anys[i], anys[fmt.Sprint(i)] = fmt.Sprint(i), i
		nested[i] = map[string]int{"a": i}
	}
	for i, m := range []interface{}{set, texts, bytes, flags, wideKeys, wideValues, wideBoth, anys, nested} {
		plant(fmt.Sprint("kind ", i), m)
	}
	keep = append(keep, paddedOnes)
	nans := map[float64]int{}
	for i := 0; i < 500; i++ {
		nans[math.NaN()] = i
		nans[float64(i)] = i
	}
	plant("nans", nans)
	plant("nothing as key", map[struct{}]int{{}: 5})
	deleted := grown(100000)
	for i := int64(0); i < 100000; i++ {
		if i%10 != 0 {
			delete(deleted, i*7919)
		}
	}
	plant("deleted", deleted)
	emptied := grown(50000)
	for k := range emptied {
		delete(emptied, k)
	}
	plant("emptied", emptied)
	// As many in as out, over and over: a map of buckets moves to an array of the same size.
	for n := 0; n < 6; n++ {
		churned := map[int64]int64{}
		for i := int64(0); i < 40000+int64(n)*911; i++ {
			churned[i] = i
			if i >= 1700 {
				delete(churned, i-1700)
			}
		}
		plant(fmt.Sprint("churned ", n), churned)
	}
	hinted := make(map[string]int, 100000)
	hinted["one"] = 1
	plant("hinted", hinted)
}

func plantChan(name string, c interface{}, elements ...uint64) {
	keep = append(keep, c)
	v := reflect.ValueOf(c)
	one := collection{Name: name, At: v.Pointer(), TypeName: v.Type().String(), Elements: v.Len()}
	for _, e := range elements {
		one.Values += e
	}
	found.Chans = append(found.Chans, one)
}

func chans() {
	plantChan("none", make(chan int))
	plantChan("empty", make(chan int, 10))
	turned := make(chan int64, 10)
	for i := int64(0); i < 8; i++ {
		turned <- i
	}
	for i := 0; i < 6; i++ {
		<-turned
	}
	for i := int64(8); i < 14; i++ {
		turned <- i
	}
	var sum uint64
	for i := uint64(6); i < 14; i++ {
		sum += i
	}
	plantChan("turned", turned, sum)
	pointers := make(chan *int, 5)
	sum = 0
	for i := 0; i < 3; i++ {
		p := new(int)
		sum += uint64(uintptr(unsafe.Pointer(p)))
		pointers <- p
	}
	plantChan("pointers", pointers, sum)
}

func plantSyncMap(name string, m *sync.Map) {
	keep = append(keep, m)
	c := collection{Name: name, At: uintptr(unsafe.Pointer(m))}
	// A copy of the same content is asked: to range over a map changes it.
	m.Range(func(k, v interface{}) bool {
		c.Elements++
		c.Keys += uint64((*[2]uintptr)(unsafe.Pointer(&k))[0])
		c.Values += uint64((*[2]uintptr)(unsafe.Pointer(&v))[0])
		return true
	})
	found.SyncMaps = append(found.SyncMaps, c)
}

func syncMaps() {
	plantSyncMap("empty", new(sync.Map))
	ranged := new(sync.Map)
	for i := 0; i < 1500; i++ {
		ranged.Store(i, fmt.Sprint(i))
	}
	plantSyncMap("ranged", ranged)
	changed := new(sync.Map)
	for i := 0; i < 1000; i++ {
		changed.Store(i, i)
	}
	changed.Range(func(_, _ interface{}) bool { return false })
	for i := 0; i < 500; i++ {
		changed.Delete(i * 2)
	}
	changed.Store("new", "one")
	// What Range says before it is asked: 500 that are left, and a new one.
	keep = append(keep, changed)
	c := collection{Name: "changed", At: uintptr(unsafe.Pointer(changed)), Elements: 501}
	number, text := interface{}(1), interface{}("text")
	c.Keys = 500*uint64(typeOf(number)) + uint64(typeOf(text))
	c.Values = c.Keys
	found.SyncMaps = append(found.SyncMaps, c)
}

func pools() {
	pool := new(sync.Pool)
	keep = append(keep, pool)
	for i := 0; i < 100; i++ {
		pool.Put(&wide{})
	}
	found.Pools = append(found.Pools, collection{Name: "pool", At: uintptr(unsafe.Pointer(pool)), Elements: 100})
}

func main() {
	debug.SetGCPercent(-1)
	runtime.LockOSThread()
	maps()
	chans()
	syncMaps()
	pools()
	text, err := json.Marshal(found)
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(os.Args[1], text, 0o600); err != nil {
		panic(err)
	}
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(keep)
}
