nonlocal name
