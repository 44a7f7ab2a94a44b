package pool

import "sync"

type Task func() error

func Run(tasks []Task) []error {
	jobs := make(chan Task)
	errs := make(chan error, len(tasks))
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for t := range jobs { // warn range-never-closed
				errs <- t()
			}
		}()
	}
	for _, t := range tasks {
		jobs <- t
	}
	wg.Wait()
	close(errs)
	var all []error
	for e := range errs {
		all = append(all, e)
	}
	return all
}
