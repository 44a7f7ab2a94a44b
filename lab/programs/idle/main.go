// Program idle does nothing until its standard input ends: for tests that need many Go processes.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println("READY")
	_, _ = os.Stdin.Read(make([]byte, 1))
}
