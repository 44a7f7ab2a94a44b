package main

type row struct{ key, value int }

var (
	rowPointers = make([]*row, 0, 2000)
	rowValues   = make([]row, 0, 2000)
)

func insliceAsIs(n int) int {
	rowPointers = rowPointers[:0]
	for i := 0; i < n; i++ {
		r := row{i, i * 2}
		rowPointers = append(rowPointers, &r)
	}
	return rowPointers[n-1].value
}

func insliceCured(n int) int {
	rowValues = rowValues[:0]
	for i := 0; i < n; i++ {
		rowValues = append(rowValues, row{i, i * 2})
	}
	return rowValues[n-1].value
}
