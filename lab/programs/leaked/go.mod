module leaked

go 1.19
