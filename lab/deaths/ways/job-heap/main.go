// Mails to customers: what is urgent goes first, newsletters when there is time.
package main

import (
	"time"

	_ "example.com/ways/internal/debugport"
)

type mailer struct{ scheduler *scheduler }

func compose(account, size int) []byte {
	mail := make([]byte, size)
	for i := range mail {
		mail[i] = "Dear customer, "[i%15]
	}
	return mail
}

func (m *mailer) newsletter(account int) {
	m.scheduler.plan(&task{priority: 1, due: time.Now(), account: account, mail: compose(account, 24<<10)})
}

func (m *mailer) receipt(account int) {
	m.scheduler.plan(&task{priority: 9, due: time.Now(), account: account, mail: compose(account, 2<<10)})
}

func main() {
	m := &mailer{scheduler: &scheduler{}}
	for i := 0; i < 2; i++ {
		go m.scheduler.work(func(*task) { time.Sleep(2 * time.Millisecond) })
	}
	for n := 0; ; n++ {
		m.receipt(n)
		if n < 280 {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		for i := 0; i < 6; i++ {
			m.newsletter(n*6 + i)
		}
		time.Sleep(3 * time.Millisecond)
	}
}
