module hostile

go 1.20
