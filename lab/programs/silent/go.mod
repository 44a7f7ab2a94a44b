module silent

go 1.20
