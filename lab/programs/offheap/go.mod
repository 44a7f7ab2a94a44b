module offheap

go 1.19
