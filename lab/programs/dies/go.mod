module dies

go 1.19
