def test_a_person_steps_up(ana, tenant):
    page = ana.step_up("/transfer?to=ben", tenant.current_otp("ana@example.com"))
    assert page.status == 200
    assert page.url == "http://localhost/transfer?to=ben"
    assert "token for https://payments" in page.text
