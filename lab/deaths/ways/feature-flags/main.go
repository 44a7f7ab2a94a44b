// A portal whose pages ask which features their user is to see.
package main

import (
	"fmt"
	"time"

	"example.com/ways/feature-flags/flags"

	_ "example.com/ways/internal/debugport"
)

func rules() []flags.Rule {
	var all []flags.Rule
	for i := 0; i < 400; i++ {
		all = append(all, flags.Rule{Feature: fmt.Sprint("feature-", i), Segment: "staff", Share: 20})
	}
	return all
}

func main() {
	p := &portal{features: flags.New(rules())}
	go p.features.Refresh(1500*time.Millisecond, rules)
	for n := 0; ; n++ {
		go p.home(fmt.Sprint("user-", n%1000))
		time.Sleep(5 * time.Millisecond)
	}
}
