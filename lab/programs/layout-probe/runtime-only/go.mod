module lastgasp.example/runtimeonly

go 1.19
