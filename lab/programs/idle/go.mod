module idle

go 1.20
