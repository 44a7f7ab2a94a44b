// Package shelf has a type of another package than main.
package shelf

// Book has a pointer and a string.
type Book struct {
	Next  *Book
	Title string
}
