// What `escape-pointer-sent` must not find.
package healthy

type msg struct{ n int }

func a(c chan msg)              { c <- msg{n: 1} }
func b(c chan int)              { c <- 3 }
func d(c chan struct{})         { c <- struct{}{} }
func e(c chan *msg, m *msg)     { c <- m }
func f(c chan string, s string) { c <- s }
