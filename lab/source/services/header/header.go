package header

import "os"

type Index struct {
	titles map[string]string
}

func (x *Index) Add(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(b)
	x.titles[path] = text[:40] // warn slice-kept
	return nil
}
