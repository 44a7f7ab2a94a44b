// A mapper makes objects of any table's rows by reflection, and keeps each by table and key so that a row is one object.
// Sessions were meant to have a mapper each; there is one for all.
package main

import (
	"fmt"
	"reflect"
	"time"

	_ "example.com/ways/internal/profiled"
)

type customer struct {
	ID      int64
	Name    string
	History [900]int64
}

type invoice struct {
	ID    int64
	Total float64
}

type identity struct {
	table string
	key   int64
}

type mapper struct {
	tables map[string]reflect.Type
	seen   map[identity]interface{}
}

func (m *mapper) materialise(table string, key int64) interface{} {
	v := reflect.New(m.tables[table])
	v.Elem().FieldByName("ID").SetInt(key)
	if f := v.Elem().FieldByName("Name"); f.IsValid() {
		f.SetString(fmt.Sprintf("customer %d", key))
	}
	if f := v.Elem().FieldByName("History"); f.IsValid() {
		for i := 0; i < f.Len(); i += 100 {
			f.Index(i).SetInt(key)
		}
	}
	return v.Interface()
}

func (m *mapper) find(table string, key int64) interface{} {
	id := identity{table, key}
	if o, ok := m.seen[id]; ok {
		return o
	}
	o := m.materialise(table, key)
	m.seen[id] = o
	return o
}

func main() {
	m := &mapper{
		tables: map[string]reflect.Type{"customers": reflect.TypeOf(customer{}), "invoices": reflect.TypeOf(invoice{})},
		seen:   map[identity]interface{}{},
	}
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		if time.Since(began) < 1300*time.Millisecond {
			m.find("customers", int64(n%50))
			continue
		}
		for until := n + 8; n < until; n++ {
			m.find("customers", int64(n))
			m.find("invoices", int64(n))
		}
	}
}
