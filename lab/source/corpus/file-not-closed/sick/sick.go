// What `file-not-closed` must find.
package sick

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func size(path string) (int64, error) {
	f, err := os.Open(path) // want file-not-closed
	if err != nil {
		return 0, err
	}
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func lines(path string) (n int, err error) {
	f, err := os.Open(path) // want file-not-closed
	if err != nil {
		return 0, err
	}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		n++
	}
	return n, sc.Err()
}

func save(path string, data []byte) error {
	f, err := os.Create(path) // want file-not-closed
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Close()
}

func all(paths []string) error {
	for _, p := range paths {
		f, err := os.Open(p) // want file-not-closed
		if err != nil {
			return err
		}
		data, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		fmt.Println(len(data))
	}
	return nil
}

func tmp() (string, error) {
	f, err := os.CreateTemp("", "x") // want file-not-closed
	if err != nil {
		return "", err
	}
	return f.Name(), nil
}

func appendTo(path, line string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600) // want file-not-closed
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return err
}
