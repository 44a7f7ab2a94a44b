package weather

import (
	"encoding/json"
	"fmt"
	"net/http"
)

type Forecast struct {
	Temp float64 `json:"temp"`
}

func Fetch(city string) (*Forecast, error) {
	resp, err := http.Get("http://api.weather.internal/v1/" + city) // warn body-not-closed client-no-timeout
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("weather: status %d", resp.StatusCode)
	}
	defer resp.Body.Close()
	var f Forecast
	if err := json.NewDecoder(resp.Body).Decode(&f); err != nil {
		return nil, err
	}
	return &f, nil
}
