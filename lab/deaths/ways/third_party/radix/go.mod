module example.org/radix

go 1.19
