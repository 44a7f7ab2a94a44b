module handed

go 1.19
