package tail

import "bufio"
import "os"

// last holds the heads of the files that were looked at.
var last [][]byte

func Remember(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	last = append(last, data[:16]) // warn slice-kept // hint append-never-cleared
	return nil
}

func Lines(path string) int {
	f, err := os.Open(path) // warn file-not-closed
	if err != nil {
		return 0
	}
	n := 0
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		n++
	}
	return n
}
