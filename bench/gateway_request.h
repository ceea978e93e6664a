/* The request that gateways are measured with: a usual one, its key to be set
 * in headers[3]. */
#ifndef BENCH_GATEWAY_REQUEST_H
#define BENCH_GATEWAY_REQUEST_H

#include <metering/gateway.h>

static const met_gateway_outcome bench_outcome = {
    .struct_size = sizeof bench_outcome,
    .status = 200,
    .upstream_status = 200,
    .request_size_bytes = 300,
    .response_size_bytes = 2000};

static inline met_gateway_request bench_request(met_pair headers[4])
{
    headers[0] = (met_pair){"Host", 4, "example.com", 11};
    headers[1] = (met_pair){"User-Agent", 10, "bench", 5};
    headers[2] = (met_pair){"Accept", 6, "*/*", 3};
    headers[3] = (met_pair){"apikey", 6, NULL, 0};
    return (met_gateway_request){.struct_size = sizeof(met_gateway_request),
                                 .method = "GET",
                                 .method_size = 3,
                                 .path = "/anything/1",
                                 .path_size = 11,
                                 .query = "page=2",
                                 .query_size = 6,
                                 .host = "example.com",
                                 .host_size = 11,
                                 .user_agent = "bench",
                                 .user_agent_size = 5,
                                 .client_ip = "203.0.113.7",
                                 .client_ip_size = 11,
                                 .headers = headers,
                                 .header_count = 4};
}

#endif
