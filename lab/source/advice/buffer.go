package main

//go:noinline
func encode(n int) []byte {
	out := make([]byte, 0, n)
	for i := 0; i < n; i++ {
		out = append(out, byte(i))
	}
	return out
}

func bufferAsIs(n int) int { return len(encode(n)) }

//go:noinline
func appendEncoded(dst []byte, n int) []byte {
	for i := 0; i < n; i++ {
		dst = append(dst, byte(i))
	}
	return dst
}

var reused = make([]byte, 0, 4096)

func bufferCured(n int) int {
	reused = appendEncoded(reused[:0], n)
	return len(reused)
}
