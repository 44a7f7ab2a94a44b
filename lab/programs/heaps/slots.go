package main

import (
	"runtime"
	"strconv"
	"strings"
)

// classes are the sizes of slots: runtime/sizeclasses.go, the same from Go 1.16 to 1.27.
var classes = []uint64{8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448, 480, 512, 576, 640, 704, 768,
	896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5120, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880,
	12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768}

// headers says whether objects over 512 bytes with pointers have 8 bytes in front of them, from Go 1.22 on.
var headers = func() bool {
	minor, err := strconv.Atoi(strings.Split(strings.TrimPrefix(runtime.Version(), "go1."), ".")[0])
	return err != nil || minor >= 22
}()

// slot is the size of the slot that an object takes. Not for what is under 16 bytes and without pointers: several of it share one.
func slot(size uint64, pointers bool) uint64 {
	if headers && pointers && size > 512 && size <= 32768-8 {
		size += 8
	}
	for _, class := range classes {
		if size <= class {
			return class
		}
	}
	return (size + 8191) / 8192 * 8192
}

// several objects of one size.
func several(n int, size uint64, pointers bool) amount {
	return amount{uint64(n), uint64(n) * slot(size, pointers)}
}

func (a amount) and(b amount) amount { return amount{a.Objects + b.Objects, a.Bytes + b.Bytes} }
