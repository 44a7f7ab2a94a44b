// What `escape-pointer-sent` must find.
package sick

type msg struct{ body []byte }

func a(c chan *msg) { c <- &msg{} } // want escape-pointer-sent

func b(c chan *int) {
	n := 1
	c <- &n // want escape-pointer-sent
}

func d(c chan *msg) {
	m := &msg{body: nil}
	c <- m // want escape-pointer-sent
}

type wrap struct{ p *int }

func e(c chan wrap, n int) { c <- wrap{p: &n} } // want escape-pointer-sent

func f(c chan *msg) {
	m := new(msg)
	c <- m // want escape-pointer-sent
}
