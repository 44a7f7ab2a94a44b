module lastgasp.example/lab/advice

go 1.21
