package ids

import "strconv"

// Keys makes cache keys of ids.
func Keys(ids []int64) []string {
	var keys []string
	for _, id := range ids {
		keys = append(keys, "user:"+strconv.FormatInt(id, 10))
	}
	return keys
}

func Index(names []string) map[string]int {
	m := make(map[string]int) // hint make-without-size
	for i, n := range names {
		m[n] = i
	}
	return m
}
