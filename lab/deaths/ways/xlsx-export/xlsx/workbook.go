// Package xlsx builds a workbook in memory, to be written out when it is whole.
package xlsx

type Style struct {
	Bold, Italic bool
	Format       string
	Border       [4]int
}

type Cell struct {
	Value interface{}
	Style *Style
}

type Row struct {
	Height float64
	Cells  []*Cell
}

type Sheet struct {
	Name string
	Rows []*Row
}

type Workbook struct{ Sheets []*Sheet }

func (w *Workbook) AddSheet(name string) *Sheet {
	s := &Sheet{Name: name}
	w.Sheets = append(w.Sheets, s)
	return s
}

func (s *Sheet) AddRow() *Row {
	r := &Row{Height: 12.5}
	s.Rows = append(s.Rows, r)
	return r
}

func (r *Row) AddCell(v interface{}) *Cell {
	c := &Cell{Value: v, Style: &Style{Format: "General"}}
	r.Cells = append(r.Cells, c)
	return c
}

// Size is that of the written file, about.
func (w *Workbook) Size() (n int) {
	for _, s := range w.Sheets {
		for _, r := range s.Rows {
			n += 9 * len(r.Cells)
		}
	}
	return n
}
