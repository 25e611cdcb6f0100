extension OpenAPI {
    static let adminPaths = #"""
        "/v1/admin/tenants":{
          "get":{"operationId":"listTenants","tags":["admin"],"summary":"All tenants; scope admin.",
            "responses":{"200":{"description":"Tenants.","content":{"application/json":{"schema":{"type":"object","required":["tenants"],
              "properties":{"tenants":{"type":"array","items":{"$ref":"#/components/schemas/Tenant"}}}}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"}}},
          "post":{"operationId":"addTenant","tags":["admin"],"summary":"Add a tenant; scope admin.",
            "requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["id"],
              "additionalProperties":false,"properties":{"id":{"$ref":"#/components/schemas/TenantName"},
              "suspended":{"type":["boolean","null"],"default":false}}}}}},
            "responses":{"201":{"description":"It is there.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Tenant"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"409":{"$ref":"#/components/responses/Problem"},
              "413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},
              "422":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/admin/tenants/{tenant}":{
          "parameters":[{"$ref":"#/components/parameters/tenant"}],
          "get":{"operationId":"getTenant","tags":["admin"],"summary":"One tenant; scope admin.",
            "responses":{"200":{"description":"The tenant.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Tenant"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"}}},
          "patch":{"operationId":"changeTenant","tags":["admin"],"summary":"Suspend a tenant, or take that back; scope admin.",
            "requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object",
              "additionalProperties":false,"properties":{"suspended":{"type":["boolean","null"]}}}}}},
            "responses":{"200":{"description":"The tenant.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Tenant"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},
              "415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"}}},
          "delete":{"operationId":"removeTenant","tags":["admin"],
            "summary":"Remove a tenant with its keys, jobs, payloads and logs; scope admin.",
            "responses":{"204":{"description":"Gone."},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},
              "503":{"$ref":"#/components/responses/Retry"}}}},
        "/v1/admin/tenants/{tenant}/keys":{
          "parameters":[{"$ref":"#/components/parameters/tenant"}],
          "get":{"operationId":"listKeys","tags":["admin"],"summary":"The keys of a tenant, without their texts; scope admin.",
            "responses":{"200":{"description":"Keys.","content":{"application/json":{"schema":{"type":"object","required":["keys"],
              "properties":{"keys":{"type":"array","items":{"$ref":"#/components/schemas/TenantKey"}}}}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"}}},
          "post":{"operationId":"addKey","tags":["admin"],"summary":"Make a key, whose text is shown this once; scope admin.",
            "requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["scopes"],
              "additionalProperties":false,"properties":{
              "scopes":{"type":"array","minItems":1,"items":{"$ref":"#/components/schemas/Scope"}},
              "expires_in":{"$ref":"#/components/schemas/NullableDuration"}}}}}},
            "responses":{"201":{"description":"The key; its text is in 'key'.",
                "content":{"application/json":{"schema":{"$ref":"#/components/schemas/TenantKey"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},
              "422":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/admin/tenants/{tenant}/keys/{key}":{
          "parameters":[{"$ref":"#/components/parameters/tenant"},
            {"name":"key","in":"path","required":true,"description":"The id of a key.","schema":{"type":"string"}}],
          "delete":{"operationId":"revokeKey","tags":["admin"],"summary":"Revoke a key; scope admin.",
            "responses":{"204":{"description":"Revoked."},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Problem"}}}}
        """#

    static let adminSchemas = #"""
        "TenantName":{"type":"string","pattern":"^[a-z0-9_-]{1,63}$"},
        "Scope":{"enum":["read","submit","admin"]},
        "Tenant":{"type":"object","required":["id","created_at","suspended"],"properties":{
          "id":{"$ref":"#/components/schemas/TenantName"},"created_at":{"type":"string","format":"date-time"},
          "suspended":{"type":"boolean"}}},
        "TenantKey":{"type":"object","required":["id","tenant","scopes","created_at","expires_at","revoked_at"],"properties":{
          "id":{"type":"string"},"tenant":{"$ref":"#/components/schemas/TenantName"},
          "scopes":{"type":"array","items":{"$ref":"#/components/schemas/Scope"}},
          "created_at":{"type":"string","format":"date-time"},"expires_at":{"type":["string","null"],"format":"date-time"},
          "revoked_at":{"type":["string","null"],"format":"date-time"},
          "key":{"type":"string","description":"The whole key, in the answer that made it only."}}}
        """#
}
