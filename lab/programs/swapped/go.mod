module swapped

go 1.19
